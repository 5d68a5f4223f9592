// The few declarations of Apple's that examples/ios uses, so that its Objective-C can be compiled where there is no SDK.
#pragma once
typedef unsigned long NSUInteger;
typedef signed char BOOL;
#define nil ((id)0)
#define NS_ASSUME_NONNULL_BEGIN _Pragma("clang assume_nonnull begin")
#define NS_ASSUME_NONNULL_END _Pragma("clang assume_nonnull end")
#define NS_DESIGNATED_INITIALIZER __attribute__((objc_designated_initializer))
#define NS_UNAVAILABLE __attribute__((unavailable))

__attribute__((objc_root_class)) @interface NSObject
+ (instancetype)alloc;
- (instancetype)init;
- (id)copy;
@end

typedef enum : NSUInteger { NSUTF8StringEncoding = 4 } NSStringEncoding;
@interface NSString : NSObject
@property(readonly) const char *UTF8String;
- (instancetype)initWithBytes:(const void *)bytes length:(NSUInteger)length encoding:(NSStringEncoding)encoding;
@end

typedef const void *CFTypeRef;
CFTypeRef CFBridgingRetain(id object);
void CFRelease(CFTypeRef object);

typedef NSObject *dispatch_queue_t, *dispatch_semaphore_t;
#define DISPATCH_TIME_FOREVER (~0ull)
dispatch_queue_t dispatch_get_main_queue(void);
void dispatch_async(dispatch_queue_t queue, void (^block)(void));
dispatch_semaphore_t dispatch_semaphore_create(long value);
long dispatch_semaphore_signal(dispatch_semaphore_t semaphore);
long dispatch_semaphore_wait(dispatch_semaphore_t semaphore, unsigned long long timeout);
