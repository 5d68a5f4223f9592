// A program of two translation units that both use the header: this one makes the source.
#include <eventsource.h>
#include <stdio.h>

int units_follow(eventsource *source);

int main(int argc, char **argv) {
  eventsource_config *config = NULL;
  eventsource *source = NULL;
  if (argc != 2 || eventsource_config_new(argv[1], &config) != EVENTSOURCE_STATUS_OK) return 2;
  if (eventsource_new(config, &source) != EVENTSOURCE_STATUS_OK) return 2;
  eventsource_config_free(config);
  int messages = units_follow(source);
  eventsource_free(source);
  printf("%d\n", messages);
  return 0;
}
