'use strict';
// Loads the addon: what was built in this folder, else the binary that the package carries for this platform.

const path = require('node:path');

const root = path.join(__dirname, '..');
const platform = `${process.platform}-${process.arch}`;
const candidates = [path.join(root, 'build', 'Release', 'eventsource.node')];
// Which C library this is shows in what loads: glibc has no libc.so that could be loaded, but musl takes glibc's name for its own.
if (process.platform === 'linux') candidates.push(path.join(root, 'prebuilds', `${platform}-musl`, 'eventsource.node'));
candidates.push(path.join(root, 'prebuilds', platform, 'eventsource.node'));

function load() {
  const reasons = [];
  for (const candidate of candidates) {
    try {
      return require(candidate);
    } catch (error) {
      reasons.push(error.message.split('\n')[0]);
    }
  }
  throw new Error(`libeventsource: there is no binary for ${platform} that loads:\n  ${reasons.join('\n  ')}`);
}

module.exports = load();
