#import <Foundation/Foundation.h>

NS_ASSUME_NONNULL_BEGIN

/// Follows a stream and hands out the data of its messages on the main queue.
@interface Tail : NSObject
- (nullable instancetype)initWithAddress:(NSString *)address onMessage:(void (^)(NSString *data))onMessage NS_DESIGNATED_INITIALIZER;
- (instancetype)init NS_UNAVAILABLE;
/// For good; nothing is handed out afterwards but what is on its way to the main queue.
- (void)close;
@end

NS_ASSUME_NONNULL_END
