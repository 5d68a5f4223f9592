// P-256's generator times a number, without the table of 150 kB that ring has for it: by ring's multiplication of any point.
//
// Both are constant-time. This one takes 32 us instead of 6 (x86_64), so some 0.1 ms more of a handshake, and an app on a phone carries
// its own copy of the table. For 32-bit processors, and for P-384 everywhere, ring does the same. RING(name) is the name as ring's version has it.
#include <stdint.h>

typedef uint64_t limb;

void RING(p256_point_mul)(limb product[3][4], const limb scalar[4], const limb x[4], const limb y[4]);

// The generator (SEC 2, secp256r1) in Montgomery form, the lowest limb first.
static const limb x[4] = {0x79e730d418a9143c, 0x75ba95fc5fedb601, 0x79fb732b77622510, 0x18905f76a53755c6};
static const limb y[4] = {0xddf25357ce95560a, 0x8b4ab8e4ba19e45c, 0xd2e88688dd21f325, 0x8571ff1825885d85};

void RING(p256_point_mul_base)(limb product[3][4], const limb scalar[4]) { RING(p256_point_mul)(product, scalar, x, y); }

void RING(p256_point_mul_base_vartime)(limb product[3][4], const limb scalar[4]) { RING(p256_point_mul)(product, scalar, x, y); }
