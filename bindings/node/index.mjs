import source from './lib/source.js';

export const { EventSource } = source;
