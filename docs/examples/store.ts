// Blocks between stores, and a store around a store: store.ts WORK
import { encodeBlock, syncStores } from 'zosbuilder/flist';
import { Failure, LimitedStore, Meter, MeteredStore, openStore, RetryStore } from 'zosbuilder/store';

const [work] = process.argv.slice(2) as [string];
const { ref, blob } = await encodeBlock(Buffer.from('hello'));
const origin = await openStore(`dir://${work}/origin`);
await origin.put(ref.id, blob);

const meter = new Meter();
const careful = new RetryStore(new LimitedStore(new MeteredStore(origin, meter), { concurrency: 4 }));
const copy = await openStore(`00-ff=dir://${work}/copy`);
const { copiedBlocks, copiedBytes } = await syncStores({ from: careful, to: copy });
console.log(`${copiedBlocks} block, ${copiedBytes} bytes; ${meter.snapshot().get.outcomes.done} get`);
for await (const id of copy.list()) console.log(id);

try {
  await copy.get('00'.repeat(32));
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.log(`${error.kind}: ${error.message.replaceAll(work, 'WORK')}`);
}
