/* raw stream|ages URL: reads what the server sends into one buffer, and that is all. What nobody can be faster than. */
#include "measure.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
    fprintf(stderr, "raw: %s\n", what);
    exit(1);
}

int main(int argc, char **argv) {
    char host[64], port[8], path[256];
    static char buffer[64 << 10];
    if (argc != 3 || sscanf(argv[2], "http://%63[^:]:%7[0-9]%255s", host, port, path) != 3) fail("usage: raw stream|ages http://HOST:PORT/PATH");
    begin(strcmp(argv[1], "ages") == 0);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address;
    if (getaddrinfo(host, port, &hints, &address) != 0) fail("getaddrinfo");
    int fd = socket(address->ai_family, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) != 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    freeaddrinfo(address);
    int len = snprintf(buffer, sizeof buffer, "GET %s HTTP/1.1\r\nHost: %s:%s\r\nAccept: text/event-stream\r\n\r\n", path, host, port);
    if (write(fd, buffer, (size_t)len) != len) fail("write");
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer - 1)) > 0) {
        bytes += (uint64_t)got;
        if (ages && strncmp(buffer, "data: ", 6) == 0) {
            buffer[got] = '\0';
            add_age(buffer + 6);
        }
    }
    if (got < 0) fail("read");
    close(fd);
    return report();
}
