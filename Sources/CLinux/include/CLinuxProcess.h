#pragma once
#include <sys/types.h>

/// A process to launch. A descriptor of -1 means /dev/null; every other descriptor of the parent is closed.
struct clinux_launch_request {
    /// Path of the executable; a relative one is taken from `working_directory`.
    const char *executable;
    /// NULL-terminated, as for execve.
    char *const *arguments;
    char *const *environment;
    /// NULL keeps the parent's.
    const char *working_directory;
    int standard_output;
    int standard_error;
    /// Becomes descriptor 3; -1 for none.
    int passed_descriptor;
    /// 1: a new session; 0: a new process group.
    int own_session;
};

/// Forks a child that waits, before execve, for `clinux_release`; if the parent dies first, it exits.
/// Returns the control descriptor, or -errno.
int clinux_launch(const struct clinux_launch_request *launch, pid_t *pid);

/// Lets a launched child run and closes its control descriptor.
/// Returns 0 once execve has succeeded, else the errno of the step that failed; the child then exits with 127.
int clinux_release(int control);

/// Waits for a child for at most `timeout_milliseconds` and reaps it.
/// Returns 1 with its wait status, 0 if it is still running, or -errno.
int clinux_wait(pid_t pid, int timeout_milliseconds, int *status);

/// Frees the disk space of a byte range of a file, which then reads as zeros.
/// Returns 0 or errno (EOPNOTSUPP; fallocate(2)).
int clinux_punch_hole(int file, off_t from, off_t bytes);

/// Creates a file in memory, without a name and closed on exec; -1 and errno on failure (memfd_create(2)).
int clinux_memory_file(void);

/// Renames a file unless the new name exists. Returns 0 or errno (EEXIST).
int clinux_rename_new(const char *from, const char *to);
