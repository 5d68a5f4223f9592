// The same in C++, by callbacks on this thread. client URL
#include <eventsource.h>

#include <cstdlib>
#include <iostream>
#include <memory>

int main(int argc, char **argv) {
  eventsource_config *made = nullptr;
  if (argc < 2 || eventsource_config_new(argv[1], &made) != EVENTSOURCE_STATUS_OK) return 2;
  const std::unique_ptr<eventsource_config, decltype(&eventsource_config_free)> config(made, eventsource_config_free);
  eventsource *created = nullptr;
  if (eventsource_new(config.get(), &created) != EVENTSOURCE_STATUS_OK) return 2;
  const std::unique_ptr<eventsource, decltype(&eventsource_free)> source(created, eventsource_free);
  const auto print = [](void *out, const eventsource_event *event) {
    if (eventsource_event_kind(event) == EVENTSOURCE_KIND_MESSAGE) *static_cast<std::ostream *>(out) << eventsource_event_data(event, nullptr) << '\n';
  };
  eventsource_on(source.get(), EVENTSOURCE_KIND_ANY, nullptr, print, &std::cout, nullptr);
  eventsource_run(source.get());
  return EXIT_SUCCESS;
}
