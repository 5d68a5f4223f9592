#import "Tail.h"
