#import "Tail.h"

@import CEventSource;

@implementation Tail {
  eventsource *_source;
}

// On a thread of the library's; the event is on loan for this call. What is shown is shown by the main queue, and waiting for it is
// what makes a server that is too fast wait.
static void message(void *user_data, const eventsource_event *event) {
  size_t length;
  const char *data = eventsource_event_data(event, &length);
  NSString *text = [[NSString alloc] initWithBytes:data length:length encoding:NSUTF8StringEncoding];
  void (^onMessage)(NSString *) = (__bridge void (^)(NSString *))user_data;
  dispatch_semaphore_t shown = dispatch_semaphore_create(0);
  dispatch_async(dispatch_get_main_queue(), ^{
    onMessage(text);
    dispatch_semaphore_signal(shown);
  });
  dispatch_semaphore_wait(shown, DISPATCH_TIME_FOREVER);
}

static void forget(void *user_data) { CFRelease(user_data); }

- (nullable instancetype)initWithAddress:(NSString *)address onMessage:(void (^)(NSString *))onMessage {
  self = [super init];
  if (self == nil) return nil;
  eventsource_config *config;
  if (eventsource_config_new(address.UTF8String, &config) != EVENTSOURCE_STATUS_OK) return nil;
  eventsource_status status = eventsource_new(config, &_source);
  eventsource_config_free(config);
  if (status != EVENTSOURCE_STATUS_OK) return nil;
  // The library keeps the block until it calls `forget`, also where this call fails.
  void *kept = (void *)CFBridgingRetain([onMessage copy]);
  status = eventsource_on(_source, EVENTSOURCE_KIND_MESSAGE, NULL, message, kept, forget);
  if (status == EVENTSOURCE_STATUS_OK) status = eventsource_start(_source);
  return status == EVENTSOURCE_STATUS_OK ? self : nil;
}

- (void)close {
  eventsource_close(_source);
}

// Does not wait for the callback in progress, which may be waiting for the main queue: this may be it.
- (void)dealloc {
  eventsource_release(_source);
}

@end
