// As much JSON as the protocol needs: values are found in the text, strings are decoded; texts are written escaped.
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *json_space(const char *at) {
  while (*at && strchr(" \t\r\n", *at)) at++;
  return at;
}

// Behind the value that begins at `at`; NULL if that is none. Not recursive: only the depth of brackets is kept.
static const char *json_skip(const char *at) {
  int depth = 0;
  at = json_space(at);
  do {
    if (*at == '\0') return NULL;
    if (*at == '"') {
      for (at++; *at != '"'; at++)
        if (*at == '\0' || (*at == '\\' && *++at == '\0')) return NULL;
      at++;
    } else if (*at == '{' || *at == '[') {
      depth++, at++;
    } else if (*at == '}' || *at == ']') {
      depth--, at++;
    } else if (depth > 0 && strchr(" \t\r\n:,", *at)) {
      at++;
    } else {
      size_t word = strcspn(at, " \t\r\n:,]}[{\"");
      if (word == 0) return NULL;
      at += word;
    }
  } while (depth > 0);
  return depth == 0 ? at : NULL;
}

// The next member of an object: *at is its "{" at first, then whatever this left there. False at the end, or where the
// text is no object.
static bool json_member(const char **at, const char **key, const char **value) {
  const char *next = json_space(*at);
  if (*next != '{' && *next != ',') return false;
  next = json_space(next + 1);
  if (*next != '"') return false;
  *key = next;
  if ((next = json_skip(next)) == NULL || *(next = json_space(next)) != ':') return false;
  *value = json_space(next + 1);
  if ((next = json_skip(*value)) == NULL) return false;
  *at = json_space(next);
  return true;
}

static unsigned json_hex(const char *at) {
  char digits[5] = {0};
  memcpy(digits, at, strnlen(at, 4));
  return (unsigned)strtoul(digits, NULL, 16);
}

// The string at `at`, decoded, to be freed; NULL if there is none (null, for instance).
static char *json_string(const char *at) {
  const char *end;
  if (at == NULL || *at != '"' || (end = json_skip(at)) == NULL) return NULL;
  char *text = malloc((size_t)(end - at)), *to = text;
  if (text == NULL) return NULL;
  for (at++; at < end - 1; at++) {
    if (*at != '\\') {
      *to++ = *at;
      continue;
    }
    const char *escapes = "n\nt\tr\rb\bf\f", *escape = strchr(escapes, *++at);
    if (*at != 'u') {
      *to++ = escape != NULL && (escape - escapes) % 2 == 0 ? escape[1] : *at;
      continue;
    }
    unsigned c = json_hex(at + 1);
    at += strnlen(at, 4);
    if (c >= 0xD800 && c < 0xDC00 && at[1] == '\\' && at[2] == 'u') {
      c = 0x10000 + ((c - 0xD800) << 10) + (json_hex(at + 3) - 0xDC00);
      at += 6;
    }
    if (c >= 0x10000) *to++ = (char)(0xF0 | c >> 18);
    if (c >= 0x800) *to++ = (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3F) : 0xE0 | c >> 12);
    if (c >= 0x80) *to++ = (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3F) : 0xC0 | c >> 6);
    *to++ = (char)(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
  }
  *to = '\0';
  return text;
}

// The member of that name; NULL if there is none or it is null.
static const char *json_find(const char *object, const char *name) {
  const char *key, *value;
  while (json_member(&object, &key, &value)) {
    char *text = json_string(key);
    bool found = text != NULL && strcmp(text, name) == 0;
    free(text);
    if (found) return strncmp(value, "null", 4) == 0 ? NULL : value;
  }
  return NULL;
}

// Writes a string of JSON.
static void json_write(FILE *out, const char *text, size_t length) {
  putc('"', out);
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < 0x20) {
      fprintf(out, "\\u%04x", c);
    } else {
      if (c == '"' || c == '\\') putc('\\', out);
      putc(c, out);
    }
  }
  putc('"', out);
}

#endif
