/*
 * The thirty kernels of PolyBench/C 4.2, written here from their definitions: one file each, with the data
 * set's sizes and the formulas of the initial values as published, so that results can be compared.
 *
 * A kernel is a function that does one trial:
 *
 *     void kernel_NAME(struct trial *t)
 *     {
 *             double(*a)[M] = trial_array(t, sizeof(double[N][M]));   freed when the trial has ended
 *             ... initial values ...
 *             trial_begin(t);                                         the clock runs
 *             ... the kernel, in a function of its own ...
 *             trial_end(t);
 *             trial_result(t, a, sizeof(double[N][M]));               into the digest
 *     }
 */
#ifndef KERNELS_KERNEL_H
#define KERNELS_KERNEL_H

#include "../trial/trial.h"

/* A size of the published data set that the file names, and that of its data set MINI, for tests. */
#ifdef QUICK
#define SIZE(published, mini) mini
#else
#define SIZE(published, mini) published
#endif

void kernel_2mm(struct trial *t);
void kernel_3mm(struct trial *t);
void kernel_adi(struct trial *t);
void kernel_atax(struct trial *t);
void kernel_bicg(struct trial *t);
void kernel_cholesky(struct trial *t);
void kernel_correlation(struct trial *t);
void kernel_covariance(struct trial *t);
void kernel_deriche(struct trial *t);
void kernel_doitgen(struct trial *t);
void kernel_durbin(struct trial *t);
void kernel_fdtd_2d(struct trial *t);
void kernel_floyd_warshall(struct trial *t);
void kernel_gemm(struct trial *t);
void kernel_gemver(struct trial *t);
void kernel_gesummv(struct trial *t);
void kernel_gramschmidt(struct trial *t);
void kernel_heat_3d(struct trial *t);
void kernel_jacobi_1d(struct trial *t);
void kernel_jacobi_2d(struct trial *t);
void kernel_lu(struct trial *t);
void kernel_ludcmp(struct trial *t);
void kernel_mvt(struct trial *t);
void kernel_nussinov(struct trial *t);
void kernel_seidel_2d(struct trial *t);
void kernel_symm(struct trial *t);
void kernel_syr2k(struct trial *t);
void kernel_syrk(struct trial *t);
void kernel_trisolv(struct trial *t);
void kernel_trmm(struct trial *t);

#endif
