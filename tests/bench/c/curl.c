/* curl stream|ages URL [CA.pem]: libcurl, whose callback counts bytes and parses nothing. */
#include "measure.h"

#include <curl/curl.h>

static size_t take(char *data, size_t size, size_t n, void *user_data) {
    (void)user_data;
    bytes += size * n;
    if (ages && strncmp(data, "data: ", 6) == 0) add_age(data + 6);
    return size * n;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    begin(strcmp(argv[1], "ages") == 0);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, argv[2]);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 64L << 10);
    if (argc > 3) curl_easy_setopt(curl, CURLOPT_CAINFO, argv[3]);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        fprintf(stderr, "curl: %s\n", curl_easy_strerror(code));
        return 1;
    }
    curl_easy_cleanup(curl);
    return report();
}
