import type { BrokerView } from '../../api/forms/broker.ts';
import type { Handlers } from '../serve.ts';

export function brokerRoutes(view: () => BrokerView): Handlers<'getBroker'> {
  return { getBroker: () => view() };
}
