#!/usr/bin/env node
import { launch } from './launch.js';

const KINDS = { agent: 'small', up: 'server', start: 'server' };

launch(import.meta.url, 'main', KINDS[process.argv[2]] || 'other');
