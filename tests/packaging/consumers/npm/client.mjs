// Prints the data of each message until the server ends the stream.
import { EventSource } from 'libeventsource';

const source = new EventSource(process.argv[2]);
source.addEventListener('message', (event) => console.log(event.data));
