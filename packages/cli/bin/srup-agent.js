#!/usr/bin/env node
// "srup agent" by itself, with nothing of the other commands in memory.
import { launch } from './launch.js';

launch(import.meta.url, 'agent/main', 'small');
