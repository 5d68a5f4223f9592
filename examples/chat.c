/* chat: asks a language model and prints the answer as it is written.
 *
 *   cargo build --release
 *   cc examples/chat.c -Iinclude -Ltarget/release -leventsource -o chat
 *   API_KEY=... ./chat https://api.example.com/v1/chat/completions MODEL 'Why is the sky blue?'
 *
 * Speaks the protocol that most model servers share, local ones included: a POST, answered by a stream of JSON objects that ends
 * with 'data: [DONE]'. A POST is sent once and not repeated, for a second answer would cost a second time; a server that is too
 * busy to begin (429, 503) is asked again. Exit status: 0 the whole answer, 1 none or a part of it, 2 wrong usage.
 *
 * The JSON here is the least that this program needs. Use a JSON library for more. */
#include <eventsource.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends text to a buffer as the inside of a JSON string. Every byte needs six at most. */
static char *quote(char *out, const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\') out += sprintf(out, "\\%c", *c);
        else if (*c < 0x20) out += sprintf(out, "\\u%04x", *c);
        else *out++ = (char)*c;
    }
    *out = '\0';
    return out;
}

static char *request_body(const char *model, const char *prompt) {
    char *body = malloc(6 * (strlen(model) + strlen(prompt)) + 128);
    if (body == NULL) exit(1);
    char *end = body + sprintf(body, "{\"stream\":true,\"model\":\"");
    end = quote(end, model);
    end += sprintf(end, "\",\"messages\":[{\"role\":\"user\",\"content\":\"");
    end = quote(end, prompt);
    strcpy(end, "\"}]}");
    return body;
}

static void put_utf8(unsigned long c) {
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3; /* bytes after the first */
    putchar(more == 0 ? (int)c : (int)((0xf0u << (3 - more) & 0xff) | c >> 6 * more));
    while (more-- > 0) putchar((int)(0x80 | (c >> 6 * more & 0x3f)));
}

/* XXXX of \uXXXX if that is what text begins with, else -1. */
static long code_unit(const char *text) {
    char digits[5] = "";
    if (strncmp(text, "\\u", 2) != 0) return -1;
    strncat(digits, text + 2, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? strtol(digits, NULL, 16) : -1;
}

/* Prints the character that \uXXXX, or a pair of them, stands for. Returns what follows it. */
static const char *put_escaped(const char *text) {
    long high = code_unit(text);
    if (high < 0) {
        put_utf8(0xfffd);
        return text + 2;
    }
    long low = code_unit(text + 6);
    if (high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
        put_utf8(0x10000ul + ((unsigned long)(high - 0xd800) << 10) + (unsigned long)(low - 0xdc00));
        return text + 12;
    }
    put_utf8(high >= 0xd800 && high < 0xe000 ? 0xfffd : (unsigned long)high);
    return text + 6;
}

/* Prints what {"choices":[{"delta":{"content":"this"}}]} adds to the answer. */
static void print_content(const char *json) {
    static const char key[] = "\"content\":";
    const char *text = strstr(json, key);
    if (text == NULL) return;
    text += sizeof key - 1;
    text += strspn(text, " ");
    if (*text++ != '"') return; /* null: a piece without text */
    while (*text && *text != '"') {
        if (*text != '\\') {
            putchar(*text++);
        } else if (text[1] == 'u') {
            text = put_escaped(text);
        } else {
            static const char escapes[] = "b\bf\fn\nr\rt\t";
            const char *escape = text[1] ? strchr(escapes, text[1]) : NULL; /* else \", \\ or \/ */
            putchar(escape ? escape[1] : text[1]);
            text += text[1] ? 2 : 1;
        }
    }
    fflush(stdout);
}

static eventsource *ask(const char *url, const char *model, const char *prompt) {
    char *body = request_body(model, prompt);
    char authorization[4096];
    const char *key = getenv("API_KEY");

    eventsource_config *config;
    eventsource *source;
    eventsource_status status = eventsource_config_new(url, &config);
    if (status == EVENTSOURCE_STATUS_OK) {
        eventsource_config_set_body(config, (const uint8_t *)body, strlen(body)); /* makes it a POST; copied */
        eventsource_config_set_header(config, "Content-Type", "application/json");
        if (key) {
            snprintf(authorization, sizeof authorization, "Bearer %s", key);
            eventsource_config_set_secret_header(config, "Authorization", authorization); /* never leaves the URL's origin */
        }
        eventsource_config_set_max_retries(config, 3);
        status = eventsource_new(config, &source);
    }
    if (status < 0) {
        fprintf(stderr, "chat: %s: %s\n", eventsource_status_text(status), eventsource_config_error(config, NULL));
        exit(2);
    }
    eventsource_config_free(config);
    free(body);
    return source;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: chat URL MODEL PROMPT (and the environment's API_KEY)\n");
        return 2;
    }
    eventsource *source = ask(argv[1], argv[2], argv[3]);

    bool complete = false;
    const eventsource_event *event;
    while (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK) {
        const char *data = eventsource_event_data(event, NULL);
        switch (eventsource_event_kind(event)) {
        case EVENTSOURCE_KIND_MESSAGE:
            if (strcmp(data, "[DONE]") == 0) {
                complete = true;
                eventsource_close(source); /* next gives CLOSE now, and then no more */
            } else {
                print_content(data);
            }
            break;
        case EVENTSOURCE_KIND_ERROR: /* the body of a refusal says more than its status */
            fprintf(stderr, "chat: %s\n%s", data, eventsource_event_body(event, NULL));
            if (eventsource_event_retry_ms(event) >= 0) {
                fprintf(stderr, "chat: asking again in %" PRId64 " ms\n", eventsource_event_retry_ms(event));
            }
            break;
        case EVENTSOURCE_KIND_CLOSE: /* ENDED without [DONE] too: a part of an answer is not an answer */
            if (!complete) fprintf(stderr, "chat: the answer is not complete: %s\n", data);
            break;
        default:
            break;
        }
    }
    putchar('\n');
    eventsource_free(source);
    return complete ? 0 : 1;
}
