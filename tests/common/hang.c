// A getaddrinfo that asks nobody about names under .test, which nobody has: it waits for as long as there is the file that
// HANG_FILE names, and adds an x to HANG_FILE.asked for each question. All other names are libc's. Loaded into a test, a
// benchmark or a service.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
  const char *file = getenv("HANG_FILE");
  const size_t length = host ? strlen(host) : 0;
  char asked[4096];
  if (!file || length < 5 || strcmp(host + length - 5, ".test") != 0) {
    lookup *next;
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next ? next(host, service, hints, out) : EAI_FAIL;
  }
  snprintf(asked, sizeof asked, "%s.asked", file);
  FILE *f = fopen(asked, "a");
  if (f) {
    fputc('x', f);
    fclose(f);
  }
  while (access(file, F_OK) == 0) usleep(1000);
  return EAI_NONAME;
}
