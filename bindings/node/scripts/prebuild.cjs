// Puts what was just built, and the licences, where a published package carries them.
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const here = path.join(__dirname, '..');
const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
const folder = path.join(here, 'prebuilds', `${process.platform}-${process.arch}${musl ? '-musl' : ''}`);
fs.mkdirSync(folder, { recursive: true });
const binary = path.join(folder, 'eventsource.node');
fs.copyFileSync(path.join(here, 'build', 'Release', 'eventsource.node'), binary);
// Two thirds of it are debug sections. Where there is no strip it stays as it is.
if (process.platform !== 'win32') spawnSync('strip', process.platform === 'darwin' ? ['-x', binary] : [binary], { stdio: 'ignore' });
for (const name of ['LICENSE-APACHE', 'LICENSE-MIT']) fs.copyFileSync(path.join(here, '..', '..', name), path.join(here, name));
