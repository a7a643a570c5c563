import { readHexValue, type ServerCommand } from '@srup/protocol';
