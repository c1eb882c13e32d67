import { display } from '../../base/bytes.js';
import { usage } from '../../base/errors.js';
import { absolutePath } from '../../platform/command-line.js';
import { usualPatience } from './carrier.js';
import type { Carrier, CarrierOptions } from './carrier.js';
import { DirectoryCarrier } from './directory.js';
import { HttpCarrier } from './http.js';
import { OciCarrier } from './oci/oci-carrier.js';

/**
 * The carrier that an address names: `http://` and `https://` a web server, `oci://REGISTRY/REPOSITORY` a registry, all
 * else a directory. Nothing is connected yet.
 * @throws LaminaError usage: it names none of them
 */
export function carrierOf(url: string, options: CarrierOptions = {}): Carrier {
  const patience = { ...usualPatience, ...options.patience };
  if (/^https?:\/\//i.test(url)) {
    if (!URL.canParse(url)) throw badAddress(url);
    return new HttpCarrier(url, patience);
  }
  if (/^oci:\/\//i.test(url)) return new OciCarrier(url, patience, options.plainHttp ?? false);
  if (url === '' || /^[a-z][a-z0-9+.-]*:/i.test(url)) throw badAddress(url);
  const directory = absolutePath(url);
  return new DirectoryCarrier(display(directory), directory, patience);
}

function badAddress(url: string) {
  return usage(`'${url}' is not the address of a channel`, {
    code: 'BAD_ADDRESS',
    hint: 'give a directory, https://HOST/PATH, http://HOST/PATH or oci://REGISTRY/REPOSITORY',
  });
}
