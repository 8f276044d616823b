/* SPDX-License-Identifier: MIT */
/*
 * The guardian: a small process beside the test that cleans up after it
 * however the test ends, also by a crash, a time-out or SIGKILL. What is
 * registered is taken down in this order: mounts, processes, directories.
 *
 * It acts on processes by a descriptor of exactly that process (pidfd), never
 * by name and never by a number that may have come to mean another one.
 */
#ifndef TESTS_GUARDIAN_H
#define TESTS_GUARDIAN_H

#include <sys/types.h>

/* Start it, once per process; later calls do nothing. */
void guardian_start(void);

/* Something may be mounted on `path` from now on. */
void guardian_mount(const char *path);

/* The process must not outlive the test; to be called before it is waited
 * for. */
void guardian_process(pid_t pid);

/* Remove the directory with all that is in it, but cross into no mount. */
void guardian_directory(const char *path);

/* Clean up now and wait until that is done. */
void guardian_end(void);

#endif
