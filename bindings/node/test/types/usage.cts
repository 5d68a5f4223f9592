import libeventsource = require('libeventsource');

const source = new libeventsource.EventSource('http://127.0.0.1/');
source.addEventListener('message', (event) => { const data: string = event.data; });
source.close();
