// Launching processes: fork and execve, with only async-signal-safe calls between (signal-safety(7)).
#define _GNU_SOURCE
#include "CLinuxProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/// The first descriptor number used to park the child's descriptors while 0 to 4 are set up.
enum { first_parking_descriptor = 16 };

static int parked(int descriptor) {
    if (descriptor >= 0) return fcntl(descriptor, F_DUPFD_CLOEXEC, first_parking_descriptor);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -1;
    int high = fcntl(null, F_DUPFD_CLOEXEC, first_parking_descriptor);
    close(null);
    return high;
}

static int lay_out_descriptors(const struct clinux_launch_request *launch, int *control) {
    int high = fcntl(*control, F_DUPFD_CLOEXEC, first_parking_descriptor);
    int input = parked(-1);
    int output = parked(launch->standard_output);
    int error = parked(launch->standard_error);
    int passed = launch->passed_descriptor < 0 ? -1 : parked(launch->passed_descriptor);
    if (high < 0 || input < 0 || output < 0 || error < 0) return -1;
    if (launch->passed_descriptor >= 0 && passed < 0) return -1;
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0) return -1;
    if (passed >= 0 && dup2(passed, 3) < 0) return -1;
    int place = passed >= 0 ? 4 : 3;
    if (dup3(high, place, O_CLOEXEC) < 0) return -1;
    *control = place;
    closefrom(place + 1);
    return 0;
}

static void reset_signals(void) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void run_child(const struct clinux_launch_request *launch, int control) {
    reset_signals();
    int failed = launch->own_session ? setsid() < 0 : setpgid(0, 0) < 0;
    failed = failed || lay_out_descriptors(launch, &control) < 0;
    failed = failed || (launch->working_directory && chdir(launch->working_directory) < 0);
    int failure = failed ? errno : 0;
    char released;
    ssize_t count;
    do {
        count = read(control, &released, 1);
    } while (count < 0 && errno == EINTR);
    if (count != 1) _exit(127);
    if (!failure) {
        execve(launch->executable, launch->arguments, launch->environment);
        failure = errno;
    }
    // Reports the errno to the parent. If the parent is gone, no process reads it.
    ssize_t ignored = send(control, &failure, sizeof failure, MSG_NOSIGNAL);
    (void)ignored;
    _exit(127);
}

int clinux_launch(const struct clinux_launch_request *launch, pid_t *pid) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    int failure = errno;
    if (child == 0) {
        close(ends[0]);
        run_child(launch, ends[1]);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return -failure;
    }
    *pid = child;
    return ends[0];
}

int clinux_release(int control) {
    char released = 1;
    int failure = 0;
    ssize_t count = send(control, &released, 1, MSG_NOSIGNAL);
    if (count != 1) {
        failure = errno;
    } else {
        do {
            count = recv(control, &failure, sizeof failure, MSG_WAITALL);
        } while (count < 0 && errno == EINTR);
        if (count == 0) failure = 0;
        else if (count != sizeof failure) failure = EPIPE;
    }
    close(control);
    return failure;
}

static long milliseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

int clinux_wait(pid_t pid, int timeout_milliseconds, int *status) {
    long deadline = milliseconds_now() + timeout_milliseconds;
    // Kernels before 5.3 have no pidfd_open; there the child is polled every few milliseconds.
    int pidfd = timeout_milliseconds > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    int result = 0;
    for (;;) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended == pid) result = 1;
        else if (ended < 0 && errno != EINTR) result = -errno;
        long remaining = deadline - milliseconds_now();
        if (result != 0 || remaining <= 0) break;
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};
        poll(&wait, pidfd >= 0 ? 1 : 0, (int)(pidfd >= 0 || remaining < 10 ? remaining : 10));
    }
    if (pidfd >= 0) close(pidfd);
    return result;
}

int clinux_punch_hole(int file, off_t from, off_t bytes) {
    while (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, bytes) < 0)
        if (errno != EINTR) return errno;
    return 0;
}

int clinux_memory_file(void) { return memfd_create("lockflight", MFD_CLOEXEC); }

int clinux_rename_new(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
    // The file system does not support RENAME_NOREPLACE: a hard link is just as atomic.
    if (link(from, to) < 0) return errno;
    return unlink(from) < 0 ? errno : 0;
}
