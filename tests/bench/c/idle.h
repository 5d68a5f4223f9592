/* What many idle connections cost this process: memory, descriptors, threads, and how often any of their threads runs. */
#ifndef IDLE_H
#define IDLE_H
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
    fprintf(stderr, "idle: %s\n", what);
    exit(1);
}

/* KB */
static long resident(void) {
    long size, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2) fail("statm");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static long entries(const char *folder) {
    DIR *dir = opendir(folder);
    long count = -3; /* . and .. and, of descriptors, that of the folder itself */
    if (!dir) fail(folder);
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

/* Context switches of all threads but this one. A thread that was not switched to in a while has made no system call in it. */
static long switches(void) {
    long sum = 0;
    DIR *dir = opendir("/proc/self/task");
    if (!dir) fail("task");
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[64], line[128];
        long n;
        if (entry->d_name[0] == '.' || atol(entry->d_name) == (long)getpid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%.16s/status", entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file) continue; /* ended meanwhile */
        while (fgets(line, sizeof line, file)) {
            if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1 || sscanf(line, "nonvoluntary_ctxt_switches: %ld", &n) == 1) sum += n;
        }
        fclose(file);
    }
    closedir(dir);
    return sum;
}

static void prepare(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static long resident_before, descriptors_before;
static void before(void) {
    resident_before = resident();
    descriptors_before = entries("/proc/self/fd");
}

/* Once all stand: KB, descriptors, threads, and switches within so many seconds. */
static void report(int seconds) {
    struct timespec span = {.tv_sec = 1};
    nanosleep(&span, NULL); /* whoever has just connected comes to rest */
    long kilobytes = resident() - resident_before, descriptors = entries("/proc/self/fd") - descriptors_before;
    long threads = entries("/proc/self/task"), switched = switches();
    span.tv_sec = seconds;
    nanosleep(&span, NULL);
    printf("%ld %ld %ld %ld\n", kilobytes, descriptors, threads, switches() - switched);
    fflush(stdout);
}
#endif
