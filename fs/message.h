/* SPDX-License-Identifier: MIT */
/*
 * Errors as sentences, for a person.
 */
#ifndef CUBBYFS_MESSAGE_H
#define CUBBYFS_MESSAGE_H

/* Say one line on stderr, whatever is in the names in it. */
__attribute__((format(printf, 1, 2))) void message(const char *format, ...);

/* See to it that descriptors 0 to 2 are taken: a file of the store that got one
 * of them would receive what is said. Returns 0 or a negative errno. */
int message_init(void);

#endif
