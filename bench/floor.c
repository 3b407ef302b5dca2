/* The floor that Lockflight's fan-out is measured against: blocking libssh2 calls from threads, nothing else.
 *
 * usage: floor TARGETS USER KEY HOSTKEY WIDTH [COMMAND [RESULTS]]
 *   TARGETS  a file of "address port" lines       KEY      a private key; KEY.pub beside it
 *   HOSTKEY  a .pub file that every host must show WIDTH    threads
 *   COMMAND  what to run there; true unless given   RESULTS  takes the address of each host where it ended well
 * Prints: "hosts OK WALL_MS CPU_US_PER_HOST PEAK_KB".
 */
#include <arpa/inet.h>
#include <libssh2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { max_hosts = 4096, max_width = 2048, max_key_bytes = 4096 };

static struct sockaddr_in hosts[max_hosts];
static char names[max_hosts][64];
static int host_count;
static atomic_int next_host, succeeded;
static const char *user, *private_key, *command = "true";
static FILE *results;
static char public_key[4096];
static unsigned char pinned[max_key_bytes];
static size_t pinned_count;

static int fail(const char *what) {
    fprintf(stderr, "floor: %s\n", what);
    return 1;
}

static int decode_base64(const char *text) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, bit_count = 0;
    for (; *text && *text != ' ' && *text != '=' && *text != '\n'; text++) {
        const char *place = strchr(alphabet, *text);
        if (!place || pinned_count == max_key_bytes) return 0;
        bits = bits << 6 | (unsigned)(place - alphabet);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            pinned[pinned_count++] = (unsigned char)(bits >> bit_count);
        }
    }
    return pinned_count > 0;
}

static int load_pinned(const char *path) {
    char line[2 * max_key_bytes];
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file)) return 0;
    fclose(file);
    char *space = strchr(line, ' ');
    return space && decode_base64(space + 1);
}

static int load_hosts(const char *path) {
    FILE *file = fopen(path, "r");
    char address[64];
    int port;
    if (!file) return 0;
    while (host_count < max_hosts && fscanf(file, "%63s %d", address, &port) == 2) {
        hosts[host_count].sin_family = AF_INET;
        hosts[host_count].sin_port = htons((uint16_t)port);
        memcpy(names[host_count], address, sizeof address);
        if (inet_pton(AF_INET, address, &hosts[host_count].sin_addr) != 1) return 0;
        host_count++;
    }
    fclose(file);
    return host_count > 0;
}

/* Runs the command on one host; 1 when it answered with exit status 0. */
static int run_command(LIBSSH2_SESSION *session) {
    LIBSSH2_CHANNEL *channel = libssh2_channel_open_session(session);
    if (!channel) return 0;
    int good = libssh2_channel_exec(channel, command) == 0;
    char buffer[4096];
    while (good && libssh2_channel_read(channel, buffer, sizeof buffer) > 0) {}
    good = good && libssh2_channel_wait_closed(channel) == 0 && libssh2_channel_get_exit_status(channel) == 0;
    libssh2_channel_free(channel);
    return good;
}

static int visit(const struct sockaddr_in *host) {
    int one = 1, good = 0;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return 0;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    LIBSSH2_SESSION *session = libssh2_session_init();
    if (session && connect(descriptor, (const struct sockaddr *)host, sizeof *host) == 0 &&
        libssh2_session_handshake(session, descriptor) == 0) {
        size_t count = 0;
        int type = 0;
        const char *shown = libssh2_session_hostkey(session, &count, &type);
        good = shown && count == pinned_count && memcmp(shown, pinned, count) == 0 &&
               libssh2_userauth_publickey_fromfile(session, user, public_key, private_key, NULL) == 0 &&
               run_command(session);
        libssh2_session_disconnect(session, "done");
    }
    if (session) libssh2_session_free(session);
    close(descriptor);
    return good;
}

static void *work(void *unused) {
    for (int index; (index = atomic_fetch_add(&next_host, 1)) < host_count;)
        if (visit(&hosts[index])) {
            atomic_fetch_add(&succeeded, 1);
            if (results) fprintf(results, "%s\n", names[index]);
        }
    return unused;
}

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int count, char **arguments) {
    if (count < 6 || count > 8) return fail("usage: floor TARGETS USER KEY HOSTKEY WIDTH [COMMAND [RESULTS]]");
    int width = atoi(arguments[5]);
    if (width < 1 || width > max_width) return fail("the width is out of range");
    user = arguments[2];
    private_key = arguments[3];
    snprintf(public_key, sizeof public_key, "%s.pub", private_key);
    if (count > 6) command = arguments[6];
    if (count > 7 && !(results = fopen(arguments[7], "w"))) return fail("the results file cannot be written");
    if (!load_hosts(arguments[1])) return fail("the targets file cannot be read");
    if (!load_pinned(arguments[4])) return fail("the host key file cannot be read");
    if (libssh2_init(0)) return fail("libssh2 does not start");

    double begin = now_ms();
    pthread_t threads[max_width];
    for (int index = 0; index < width; index++)
        if (pthread_create(&threads[index], NULL, work, NULL)) return fail("a thread does not start");
    for (int index = 0; index < width; index++) pthread_join(threads[index], NULL);
    double wall = now_ms() - begin;

    if (results && fclose(results)) return fail("the results file cannot be written");
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    printf("%d %d %.0f %.0f %ld\n", host_count, succeeded, wall, cpu / host_count, usage.ru_maxrss);
    return succeeded == host_count ? 0 : 1;
}
