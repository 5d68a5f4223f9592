// The class where lib.dom's EventSource is wanted.
import { EventSource } from 'libeventsource';

const source: globalThis.EventSource = new EventSource('http://127.0.0.1/');
const constructor: new (url: string | URL, init?: { withCredentials?: boolean }) => globalThis.EventSource = EventSource;
source.onerror = (event) => { const type: string = event.type; };
source.addEventListener('message', (event: MessageEvent) => {});

const same: typeof globalThis.EventSource = EventSource;
source.onopen = function (this: globalThis.EventSource, event: Event) {};
source.addEventListener('any name', { handleEvent(event: Event) {} });

export { constructor, same };
