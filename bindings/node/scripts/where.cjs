// Prints where the C header's folder or the static library is, for binding.gyp.
const path = require('node:path');

const root = path.join(__dirname, '..', '..', '..');
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
const name = process.platform === 'win32' ? 'eventsource.lib' : 'libeventsource.a';
const places = {
  include: process.env.EVENTSOURCE_INCLUDE ?? path.join(root, 'include'),
  library: process.env.EVENTSOURCE_LIBRARY ?? path.join(target, 'release', name),
};
console.log(places[process.argv[2]]);
