'use strict';

const { EventSource } = require('./lib/source.js');

exports.EventSource = EventSource;
