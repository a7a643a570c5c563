#!/usr/bin/env node
import { launch } from './launch.js';

launch(import.meta.url, 'main', process.argv[2] === 'agent');
