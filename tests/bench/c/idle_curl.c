/* idle_curl COUNT SECONDS URL [CA.pem]: libcurl, a thread for each connection, which is the same to its user. */
#include "idle.h"

#include <curl/curl.h>
#include <pthread.h>
#include <semaphore.h>

static sem_t arrived;
static char **arguments;

static size_t take(char *data, size_t size, size_t n, void *user_data) {
    (void)data, (void)user_data;
    sem_post(&arrived);
    return size * n;
}

static void *stream(void *unused) {
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, arguments[3]);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (arguments[4]) curl_easy_setopt(curl, CURLOPT_CAINFO, arguments[4]);
    CURLcode code = curl_easy_perform(curl);
    fprintf(stderr, "idle_curl: %s\n", curl_easy_strerror(code));
    exit(1);
    return unused;
}

int main(int argc, char **argv) {
    if (argc < 4) fail("usage: idle_curl COUNT SECONDS URL [CA.pem]");
    arguments = argv;
    prepare();
    sem_init(&arrived, 0, 0);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int count = atoi(argv[1]);
    pthread_t thread;
    for (int i = -1; i < count; i++) {
        if (i == 0) before();
        if (pthread_create(&thread, NULL, stream, NULL) != 0) fail("no thread");
        if (i < 0) sem_wait(&arrived);
    }
    for (int i = 0; i < count; i++) sem_wait(&arrived);
    report(atoi(argv[2]));
    _exit(0);
}
