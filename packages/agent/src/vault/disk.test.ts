import { testDisk } from '../../test/contracts/disk.ts';
import { memoryDisk } from '../../test/memory-disk.ts';
import { realDisk } from './disk.ts';

testDisk('the real one', realDisk);
testDisk('in memory', memoryDisk());
