/* client URL [CA.pem]: prints the data of each message until the server ends the stream; with a file of certificates, trusts those alone. */
#include <eventsource.h>
#include <stdio.h>

int main(int argc, char **argv) {
  static unsigned char pem[65536];
  eventsource_config *config;
  eventsource *source;
  const eventsource_event *event;
  if (argc < 2 || eventsource_config_new(argv[1], &config) != EVENTSOURCE_STATUS_OK) return 2;
  if (argc > 2) {
    FILE *file = fopen(argv[2], "rb");
    if (file == NULL) return 2;
    size_t len = fread(pem, 1, sizeof pem, file);
    fclose(file);
    eventsource_config_set_only_ca_pem(config, pem, len);
  }
  if (eventsource_new(config, &source) != EVENTSOURCE_STATUS_OK) {
    fprintf(stderr, "%s\n", eventsource_config_error(config, NULL));
    return 2;
  }
  eventsource_config_free(config);
  while (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK) {
    if (eventsource_event_kind(event) == EVENTSOURCE_KIND_MESSAGE) puts(eventsource_event_data(event, NULL));
    if (eventsource_event_kind(event) == EVENTSOURCE_KIND_ERROR) fprintf(stderr, "%s\n", eventsource_event_data(event, NULL));
  }
  eventsource_free(source);
  return 0;
}
