// As much of HTTP as the protocol needs: one request a connection, bodies with a Content-Length.
#ifndef HTTP_H
#define HTTP_H

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static bool http_send(int peer, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(peer, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    length -= (size_t)sent;
  }
  return true;
}

// A request: method and path, and the body ended by a NUL. All lie in `text`, to be freed.
typedef struct {
  char *text, *method, *path, *body;
} http_request;

static bool http_read(int peer, http_request *request) {
  size_t length = 0, room = 0, body = 0, wanted = 0;
  char *text = NULL;
  while (body == 0 || length < body + wanted) {
    if (room - length < 4096) {
      room = room * 2 + 8192;
      char *larger = realloc(text, room);
      if (larger == NULL) break;
      text = larger;
    }
    ssize_t got = recv(peer, text + length, room - length - 1, 0);
    if (got <= 0) break;
    length += (size_t)got;
    text[length] = '\0';
    char *end = body == 0 ? strstr(text, "\r\n\r\n") : NULL;
    if (end == NULL) continue;
    body = (size_t)(end - text) + 4;
    for (char *line = strstr(text, "\r\n"); line < end; line = strstr(line + 2, "\r\n"))
      if (strncasecmp(line + 2, "Content-Length:", 15) == 0) wanted = strtoul(line + 17, NULL, 10);
  }
  char *rest;
  *request = (http_request){.text = text};
  if (body == 0 || length < body + wanted) return false;
  request->body = text + body;
  request->method = strtok_r(text, " ", &rest);
  request->path = strtok_r(NULL, " \r", &rest);
  return request->path != NULL;
}

static void http_answer(int peer, int status, const char *location, const char *body) {
  char head[256];
  int length = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\n%s%s%sContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
                        status < 300 ? "OK" : "Refused", location ? "Location: " : "", location ? location : "",
                        location ? "\r\n" : "", strlen(body));
  if (http_send(peer, head, (size_t)length)) http_send(peer, body, strlen(body));
}

static int http_connect(const char *host, const char *port) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
  int peer = -1;
  if (getaddrinfo(host, port, &hints, &all) != 0) return -1;
  for (struct addrinfo *one = all; one != NULL && peer < 0; one = one->ai_next) {
    peer = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
    if (peer >= 0 && connect(peer, one->ai_addr, one->ai_addrlen) != 0) {
      close(peer);
      peer = -1;
    }
  }
  freeaddrinfo(all);
  return peer;
}

// POSTs JSON to http://host[:port]/path with `/number` appended, and waits for the answer. False: nobody heard it.
static bool http_post(const char *url, unsigned number, const char *body, size_t length) {
  char host[256] = "", port[8] = "80", head[2048];
  int path = 0;
  if (sscanf(url, "http://[%255[^]]]:%7[0-9]%n", host, port, &path) < 2 &&
      sscanf(url, "http://%255[^:/]:%7[0-9]%n", host, port, &path) < 2 && sscanf(url, "http://%255[^:/]%n", host, &path) < 1)
    return false;
  int peer = http_connect(host, port);
  if (peer < 0) return false;
  int size = snprintf(head, sizeof head,
                      "POST %s/%u HTTP/1.1\r\nHost: %.*s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                      "Connection: close\r\n\r\n",
                      url + path, number, path - 7, url + 7, length);
  bool heard = size < (int)sizeof head && http_send(peer, head, (size_t)size) && http_send(peer, body, length);
  head[0] = '\0';
  // The answer's head is enough; whoever answers may keep the connection.
  for (size_t got = 0; heard && strstr(head, "\r\n\r\n") == NULL; head[got] = '\0') {
    ssize_t more = recv(peer, head + got, sizeof head - 1 - got, 0);
    heard = more > 0;
    got += heard ? (size_t)more : 0;
  }
  close(peer);
  return heard;
}

#endif
