/* What the client programs of the benchmarks share: counting, clocks, and one line of results that the Rust side reads. */
#ifndef MEASURE_H
#define MEASURE_H
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static uint64_t events, bytes;
/* Each event's age in nanoseconds, where its data is the clock at which it was sent (/ticks). */
static uint64_t *ages;
static size_t age_count, age_limit;
static struct timespec begun;

static uint64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void begin(int with_ages) {
    if (with_ages) {
        age_limit = 1 << 20;
        ages = malloc(age_limit * sizeof *ages);
        if (!ages) abort();
    }
    clock_gettime(CLOCK_MONOTONIC, &begun);
}

static void add_age(const char *stamp) {
    if (age_count < age_limit) ages[age_count++] = clock_ns() - strtoull(stamp, NULL, 10);
}

static inline void count(const char *data, size_t len) {
    events++;
    bytes += len;
    if (ages) add_age(data);
}

static int by_age(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t age_at(double part) { return age_count ? ages[(size_t)((double)(age_count - 1) * part)] : 0; }

/* events, bytes, wall seconds, CPU seconds of all threads, ages at 50 % and 99 % in ns */
static int report(void) {
    struct timespec now;
    struct rusage usage;
    clock_gettime(CLOCK_MONOTONIC, &now);
    getrusage(RUSAGE_SELF, &usage);
    double wall = (double)(now.tv_sec - begun.tv_sec) + (double)(now.tv_nsec - begun.tv_nsec) / 1e9;
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    if (ages) qsort(ages, age_count, sizeof *ages, by_age);
    printf("%llu %llu %.6f %.6f %llu %llu\n", (unsigned long long)events, (unsigned long long)bytes, wall, cpu,
           (unsigned long long)age_at(0.5), (unsigned long long)age_at(0.99));
    return 0;
}
#endif
