// Android's libc by musl's, as far as the static library asks for it, so that Android's library runs on Linux: bridge.sh, run.sh.
//
// Most functions are the same in both, since the kernel's structures and numbers are: those stay as they are. Here are those whose names,
// structures or numbers bionic has of its own, on 64 bits; each stands for the function of its name without `bionic_`.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int *bionic___errno(void) { return &errno; }

// ---- the system's files: below the folder that ANDROID_ROOT names ----

static const char *place(const char *path, char found[4096]) {
    const char *root = getenv("ANDROID_ROOT");
    if (root == NULL || (strncmp(path, "/system/", 8) != 0 && strncmp(path, "/apex/", 6) != 0)) return path;
    snprintf(found, 4096, "%s%s", root, path);
    return found;
}

int bionic_open(const char *path, int flags, ...) {
    char found[4096];
    va_list more;
    va_start(more, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open(place(path, found), flags, mode);
}

DIR *bionic_opendir(const char *path) {
    char found[4096];
    return opendir(place(path, found));
}

int bionic_stat(const char *path, struct stat *about) {
    char found[4096];
    return stat(place(path, found), about);
}

// ---- numbers ----

long bionic_sysconf(int name) {
    switch (name) {
    case 0x26: return sysconf(_SC_IOV_MAX);
    case 0x27:
    case 0x28: return sysconf(_SC_PAGESIZE);
    case 0x61: return sysconf(_SC_NPROCESSORS_ONLN);
    default: errno = EINVAL; return -1;
    }
}

// Its count has 32 bits there.
int bionic_poll(struct pollfd *fds, unsigned int count, int timeout) { return poll(fds, count, timeout); }

// ---- sets of signals: one word ----

typedef uint64_t bionic_sigset;

int bionic_sigfillset(bionic_sigset *set) {
    // Without those that musl keeps to itself.
    *set = ~(UINT64_C(7) << 31);
    return 0;
}

int bionic_sigdelset(bionic_sigset *set, int signal) {
    *set &= ~(UINT64_C(1) << (signal - 1));
    return 0;
}

int bionic_pthread_sigmask(int how, const bionic_sigset *set, bionic_sigset *old) {
    int before = errno;
    int result = syscall(SYS_rt_sigprocmask, how, set, old, sizeof *set) == 0 ? 0 : errno;
    errno = before;
    return result;
}

// ---- names of hosts: the name comes before the address there, and errors are positive ----

typedef struct bionic_addrinfo {
    int flags, family, socktype, protocol;
    socklen_t address_length;
    char *name;
    struct sockaddr *address;
    struct bionic_addrinfo *next;
    struct addrinfo *all; // ours: in the first, what musl made
} bionic_addrinfo;

static const int errors[][2] = {{EAI_AGAIN, 2}, {EAI_BADFLAGS, 3}, {EAI_FAIL, 4}, {EAI_FAMILY, 5}, {EAI_MEMORY, 6},
                                {EAI_NODATA, 7}, {EAI_NONAME, 8}, {EAI_SERVICE, 9}, {EAI_SOCKTYPE, 10}, {EAI_SYSTEM, 11}};
enum { ERRORS = sizeof errors / sizeof errors[0] };

void bionic_freeaddrinfo(bionic_addrinfo *info) {
    if (info != NULL) freeaddrinfo(info->all);
    free(info);
}

int bionic_getaddrinfo(const char *node, const char *service, const bionic_addrinfo *hints, bionic_addrinfo **found) {
    struct addrinfo wanted = {0}, *all;
    if (hints != NULL) {
        // The lower ones are the same.
        wanted.ai_flags = (hints->flags & 0xf) | ((hints->flags & 0x400) != 0 ? AI_ADDRCONFIG : 0);
        wanted.ai_family = hints->family;
        wanted.ai_socktype = hints->socktype;
        wanted.ai_protocol = hints->protocol;
    }
    int error = getaddrinfo(node, service, hints != NULL ? &wanted : NULL, &all);
    for (int i = 0; i < ERRORS; i++)
        if (error != 0 && errors[i][0] == error) return errors[i][1];
    if (error != 0) return 4;
    size_t count = 0;
    for (struct addrinfo *one = all; one != NULL; one = one->ai_next) count++;
    bionic_addrinfo *list = calloc(count, sizeof *list);
    if (list == NULL) abort();
    list->all = all;
    struct addrinfo *one = all;
    for (size_t i = 0; i < count; i++, one = one->ai_next) {
        list[i].flags = one->ai_flags;
        list[i].family = one->ai_family;
        list[i].socktype = one->ai_socktype;
        list[i].protocol = one->ai_protocol;
        list[i].address_length = one->ai_addrlen;
        list[i].name = one->ai_canonname;
        list[i].address = one->ai_addr;
        list[i].next = i + 1 < count ? &list[i + 1] : NULL;
    }
    *found = list;
    return 0;
}

const char *bionic_gai_strerror(int error) {
    for (int i = 0; i < ERRORS; i++)
        if (errors[i][1] == error) return gai_strerror(errors[i][0]);
    return "unknown error";
}
