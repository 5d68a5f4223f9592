// Every line marked so is refused, and no other.
import { EventSource } from 'libeventsource';

new EventSource(); // wrong
new EventSource('http://127.0.0.1/', { nonsense: 1 }); // wrong
new EventSource('http://127.0.0.1/', { retry: { frist: 1 } }); // wrong
new EventSource('http://127.0.0.1/', { reconnect: 'sometimes' }); // wrong
new EventSource('http://127.0.0.1/', { tls: { rejectUnauthorized: false } }); // wrong
new EventSource('http://127.0.0.1/', { headers: () => 5 }); // wrong
const source = new EventSource('http://127.0.0.1/');
source.readyState = 2; // wrong
source.url = 'x'; // wrong
source.onmessage = (event) => { const data: number = event.data; }; // wrong
source.onerror = (event) => event.data; // wrong
source.addEventListener('error', (event) => event.data); // wrong
source.addEventListener('any name', (event) => event.retryIn); // wrong
source.addEventListener('message', 5); // wrong
source.retry('1'); // wrong
source.setHeader('a', 5); // wrong
