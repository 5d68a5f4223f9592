// Builds the static library of a checkout, unless EVENTSOURCE_LIBRARY names one.
const path = require('node:path');
const { spawnSync } = require('node:child_process');

if (process.env.EVENTSOURCE_LIBRARY === undefined) {
  const cwd = path.join(__dirname, '..', '..', '..');
  const { status, error } = spawnSync('cargo', ['build', '--release', '--lib'], { cwd, stdio: 'inherit' });
  if (error) console.error(`cargo: ${error.message}`);
  process.exit(status ?? 1);
}
