// A getaddrinfo that asks nobody: it waits for as long as there is the file that HANG_FILE names, and adds an x to
// HANG_FILE.asked for each question. Loaded into a test or a benchmark.
#define _GNU_SOURCE
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
  const char *file = getenv("HANG_FILE");
  char asked[4096];
  (void)host, (void)service, (void)hints, (void)out;
  snprintf(asked, sizeof asked, "%s.asked", file);
  FILE *f = fopen(asked, "a");
  if (f) {
    fputc('x', f);
    fclose(f);
  }
  while (access(file, F_OK) == 0) usleep(1000);
  return EAI_NONAME;
}
