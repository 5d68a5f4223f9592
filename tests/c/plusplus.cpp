// From C++17: owning pointers, a lambda as callback, an empty vector as body.
#include <eventsource.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {
struct Free {
  void operator()(eventsource *source) const { eventsource_free(source); }
  void operator()(eventsource_config *config) const { eventsource_config_free(config); }
  void operator()(eventsource_event *event) const { eventsource_event_free(event); }
};

struct Seen {
  std::vector<std::string> data;
  std::unique_ptr<eventsource_event, Free> last;
};
} // namespace

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  eventsource_config *raw = nullptr;
  if (eventsource_config_new(argv[1], &raw) != EVENTSOURCE_STATUS_OK) return 2;
  std::unique_ptr<eventsource_config, Free> config(raw);
  const std::vector<std::uint8_t> body;
  if (eventsource_config_set_method(raw, "GET") != EVENTSOURCE_STATUS_OK) return 2;
  if (eventsource_config_set_body(raw, body.data(), body.size()) != EVENTSOURCE_STATUS_OK) return 2;
  if (eventsource_config_set_retry(raw, 0, 0) != EVENTSOURCE_STATUS_OK) return 2;
  eventsource *made = nullptr;
  if (eventsource_new(config.get(), &made) != EVENTSOURCE_STATUS_OK) return 2;
  std::unique_ptr<eventsource, Free> source(made);
  auto seen = std::make_unique<Seen>();
  const auto callback = [](void *user_data, const eventsource_event *event) {
    auto *to = static_cast<Seen *>(user_data);
    std::size_t length = 0;
    const char *data = eventsource_event_data(event, &length);
    to->data.emplace_back(data, length);
    to->last.reset(eventsource_event_clone(event));
  };
  if (eventsource_on(source.get(), EVENTSOURCE_KIND_MESSAGE, nullptr, callback, seen.get(), nullptr) !=
      EVENTSOURCE_STATUS_OK)
    return 2;
  if (eventsource_run(source.get()) != EVENTSOURCE_STATUS_OK) return 2;
  source.reset();
  for (const auto &data : seen->data) std::printf("%s\n", data.c_str());
  std::printf("%s\n", eventsource_event_id(seen->last.get(), nullptr));
  return 0;
}
