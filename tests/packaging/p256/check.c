// That multiply.c gives the points that ring's table gives: for small numbers, those just below the order, and random ones.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t limb;

void RING(p256_point_mul_base)(limb product[3][4], const limb scalar[4]);
void RING(p256_point_mul_base_vartime)(limb product[3][4], const limb scalar[4]);
void RING(p256_point_mul_base_by_table)(limb product[3][4], const limb scalar[4]);
void RING(p256_mul_mont)(limb product[4], const limb a[4], const limb b[4]);

static const limb order[4] = {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000};

// The same point, though each may have a Z of its own: x = X/Z^2, y = Y/Z^3.
static int same(limb a[3][4], limb b[3][4]) {
    limb za[4], zb[4], left[4], right[4];
    RING(p256_mul_mont)(za, a[2], a[2]);
    RING(p256_mul_mont)(zb, b[2], b[2]);
    RING(p256_mul_mont)(left, a[0], zb);
    RING(p256_mul_mont)(right, b[0], za);
    if (memcmp(left, right, sizeof left) != 0) return 0;
    RING(p256_mul_mont)(za, za, a[2]);
    RING(p256_mul_mont)(zb, zb, b[2]);
    RING(p256_mul_mont)(left, a[1], zb);
    RING(p256_mul_mont)(right, b[1], za);
    return memcmp(left, right, sizeof left) == 0;
}

static int is_infinity(limb a[3][4]) { return (a[2][0] | a[2][1] | a[2][2] | a[2][3]) == 0; }

static int checked;

static void check(const limb scalar[4]) {
    limb ours[3][4], vartime[3][4], theirs[3][4];
    RING(p256_point_mul_base)(ours, scalar);
    RING(p256_point_mul_base_vartime)(vartime, scalar);
    RING(p256_point_mul_base_by_table)(theirs, scalar);
    int zero = (scalar[0] | scalar[1] | scalar[2] | scalar[3]) == 0;
    if (is_infinity(ours) != zero || is_infinity(theirs) != zero || !same(ours, theirs) || !same(vartime, theirs)) {
        printf("%016llx%016llx%016llx%016llx times the generator is another point\n", (unsigned long long)scalar[3],
               (unsigned long long)scalar[2], (unsigned long long)scalar[1], (unsigned long long)scalar[0]);
        exit(1);
    }
    checked++;
}

int main(void) {
    for (limb i = 0; i < 300; i++) check((limb[4]){i});
    for (limb i = 1; i < 300; i++) check((limb[4]){order[0] - i, order[1], order[2], order[3]});
    for (int bit = 0; bit < 255; bit++) {
        limb power[4] = {0};
        power[bit / 64] = 1ull << bit % 64;
        check(power);
    }
    limb state = 88172645463325252u; // xorshift64, the same numbers each time
    for (int i = 0; i < 2000; i++) {
        limb scalar[4];
        for (int j = 0; j < 4; j++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            scalar[j] = state;
        }
        scalar[3] >>= 1; // below the order
        check(scalar);
    }
    printf("%d points are those of the table\n", checked);
    return 0;
}
