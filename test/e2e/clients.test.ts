import { clientsAs } from '../support/clients/suite.js';

clientsAs('root');
