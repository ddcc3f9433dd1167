/*
 * Translating one body: the words that its lines are made of (translate_words.c), and its parts
 * (translate_control.c, translate_access.c, and the rest in translate_body.c).
 */
#ifndef WASM_TRANSLATE_BODY_H
#define WASM_TRANSLATE_BODY_H

#include "wasm/translate.h"

extern const char body_letters[]; /* all types; the bit of each in wasm_translation.slots */

void body_put(struct wasm_translation *t, const char *text);
void body_put_number(struct wasm_translation *t, uint32_t n);
/* A letter and a number: "L3", "x0" */
void body_put_label(struct wasm_translation *t, char kind, uint32_t id);
/* "i32_add" of "i32.add" */
void body_put_name(struct wasm_translation *t, const char *name);
/* The variable of an operand, to read it; to write it, and then it will be declared. */
void body_put_slot(struct wasm_translation *t, uint32_t height, char type);
void body_put_result(struct wasm_translation *t, uint32_t height, char type);
/* "\ts3i = ", the beginning of most lines */
void body_put_assignment(struct wasm_translation *t, uint32_t height, char type);
/* "state->g3" */
void body_put_state(struct wasm_translation *t, char member, uint32_t index);
void body_put_table(struct wasm_translation *t, uint32_t index);
void body_put_global(struct wasm_translation *t, uint32_t index);
/* What is taken from the stack unused is computed all the same: it may hold a load that traps. */
void body_put_keep(struct wasm_translation *t, uint32_t height, char type);

/* Before the step: computed NaNs that it could tell apart are made canonical. */
void body_put_nans(struct wasm_translation *t, const struct wasm_step *step);
/* Before the step: a new #line if it has one. Behind it, `from` on: its text lies in one line. */
void body_put_line(struct wasm_translation *t, const struct wasm_step *step);
void body_join_lines(const struct wasm_translation *t, struct buf *text, size_t from);
/* The function's, before its heading. */
void body_put_first_line(struct wasm_translation *t);
void body_put_control(struct wasm_translation *t, const struct wasm_step *step);
void body_put_else(struct wasm_translation *t, const struct wasm_step *step);
void body_put_end(struct wasm_translation *t, const struct wasm_step *step);
/* "callee(instance, TABLE(state->t0), s1i, functions, FUNCTION_COUNT, 3", for the prelude's function */
void body_put_look_up(struct wasm_translation *t, const struct wasm_step *step, const char *function);
/* A line that finds what an indirect call calls, maybe in another module. */
void body_put_target(struct wasm_translation *t, const struct wasm_step *step);
void body_put_call(struct wasm_translation *t, const struct wasm_step *step);
void body_put_tail_call(struct wasm_translation *t, const struct wasm_step *step);
/* Into v, for a tail call or at the end of a function that makes some: "v[0].i32 = s3i; " */
void body_put_values(struct wasm_translation *t, const char *types, uint32_t count, uint32_t base);
/* What a step that leaves the function for good does with operands below its own. */
void body_put_left_behind(struct wasm_translation *t, const struct wasm_step *step,
                          const struct wasm_frame *frame);
/* Return what lies from `base` up. */
void body_put_return(struct wasm_translation *t, const struct wasm_type *type, uint32_t base);
/* Behind a call: to the handler, if an exception left what was called. */
void body_put_thrown_check(struct wasm_translation *t, const struct wasm_step *step);
void body_put_throw(struct wasm_translation *t, const struct wasm_step *step);
void body_put_rethrow(struct wasm_translation *t, const struct wasm_step *step);
void body_put_catch(struct wasm_translation *t, const struct wasm_step *step);
/* At the end of a try: what none of its clauses has caught. */
void body_put_uncaught(struct wasm_translation *t, const struct wasm_step *step);
void body_put_segment(struct wasm_translation *t, const struct wasm_step *step);
void body_put_memory(struct wasm_translation *t, const struct wasm_step *step);
void body_put_table_instruction(struct wasm_translation *t, const struct wasm_step *step);

#endif
