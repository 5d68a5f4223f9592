// Loaded into a test program or linked with it: counts threads and descriptors before main and when the process exits, and
// fails a program that has more then. Threads that are about to end are given their time.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int threads_before, descriptors_before;

static int entries(const char *path) {
  DIR *directory = opendir(path);
  int count = 0;
  if (!directory) return 0;
  while (readdir(directory)) ++count;
  closedir(directory);
  return count;
}

static void look(int *threads, int *descriptors) {
  *threads = entries("/proc/self/task");
  *descriptors = entries("/proc/self/fd");
}

__attribute__((constructor)) static void before(void) {
  // Programs that the tests start count for themselves, or not at all.
  unsetenv("LD_PRELOAD");
  look(&threads_before, &descriptors_before);
}

static void name_them(const char *path, const char *what) {
  DIR *directory = opendir(path);
  struct dirent *entry;
  char link[600], text[600];
  while (directory && (entry = readdir(directory))) {
    ssize_t length = -1;
    if (strcmp(what, "descriptor") == 0) {
      snprintf(link, sizeof link, "%s/%s", path, entry->d_name);
      length = readlink(link, text, sizeof text - 1);
    } else {
      snprintf(link, sizeof link, "%s/%s/comm", path, entry->d_name);
      FILE *file = fopen(link, "r");
      if (file) {
        length = (ssize_t)fread(text, 1, sizeof text - 1, file);
        fclose(file);
      }
    }
    if (length <= 0) continue;
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
    fprintf(stderr, "  %s %s: %s\n", what, entry->d_name, text);
  }
  if (directory) closedir(directory);
}

__attribute__((destructor)) static void after(void) {
  int threads = 0, descriptors = 0;
  for (time_t end = time(NULL) + 10; time(NULL) < end;) {
    look(&threads, &descriptors);
    if (threads <= threads_before && descriptors <= descriptors_before) {
      fprintf(stderr, "left behind: nothing (%d threads, %d descriptors)\n", threads - 2, descriptors - 3);
      return;
    }
    usleep(1000);
  }
  fprintf(stderr, "left behind: threads %d -> %d, descriptors %d -> %d\n", threads_before - 2, threads - 2, descriptors_before - 3,
          descriptors - 3);
  name_them("/proc/self/task", "thread");
  name_them("/proc/self/fd", "descriptor");
  fflush(stderr);
  _exit(96);
}
