/*
 * The table of GUIDs at the end of OVMF's image, by which whoever launches it finds what it says of itself
 * (OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm): 32 bytes before the end, read backwards, each entry its
 * data, then u16 size of all of it, then its GUID. The image may be anybody's.
 */
#ifndef ATTEST_FIRMWARE_TABLE_H
#define ATTEST_FIRMWARE_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum { FIRMWARE_GUID_SIZE = 16 };

/* The data of the entry with this GUID (as EFI writes it: the first three numbers little-endian), of an image
 * of a page or more. NULL if there is none, or it is shorter than `least`. */
const uint8_t *firmware_entry(const uint8_t *image, size_t size, const uint8_t guid[FIRMWARE_GUID_SIZE],
                              size_t least);

#endif
