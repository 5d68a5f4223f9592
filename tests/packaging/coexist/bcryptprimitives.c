// What Windows has had since 8 and wine 8 lacks: random bytes, which wine has by another name. Laid beside the program, for wine only.
#include <stddef.h>

unsigned char __stdcall SystemFunction036(void *bytes, unsigned long count);

__declspec(dllexport) int ProcessPrng(unsigned char *bytes, size_t count) { return SystemFunction036(bytes, (unsigned long)count); }
