//! Seeded numbers.

/// xorshift64*: small, good enough to choose moments, the same on every machine.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed | 1)
    }

    /// From 0 up to, but not including, `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

/// From `EVENTSOURCE_FAULT_SEED`, or new; printed, so that a run can be had again.
pub fn seed() -> u64 {
    let given = std::env::var("EVENTSOURCE_FAULT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_nanos() as u64
    });
    println!("EVENTSOURCE_FAULT_SEED={seed}");
    seed
}
