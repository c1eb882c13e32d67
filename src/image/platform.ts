import { display } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { platformPattern } from '../manifest/index.js';
import type { Descriptor, ImageConfig } from './descriptions.js';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | null | undefined;
}

/** Go's names, which images use, of Node's architectures. */
const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
  loong64: 'loong64',
};
/** Images of these often leave out the variant that all machines have. */
const usualVariants: Readonly<Record<string, string>> = { arm64: 'v8', arm: 'v7' };

export const platformText = ({ os, architecture, variant }: Platform): string =>
  variant === undefined || variant === null || variant === ''
    ? `${os}/${architecture}`
    : `${os}/${architecture}/${variant}`;

export function hostPlatform(): Platform {
  const architecture = architectures[process.arch] ?? process.arch;
  return { os: 'linux', architecture };
}

/** What a configuration does not say is as on this machine. */
export function platformOfConfig({ os, architecture, variant }: ImageConfig): Platform {
  const host = hostPlatform();
  return { os: os || host.os, architecture: architecture || host.architecture, variant };
}

/** @param text of --platform @throws LaminaError usage */
export function platformOf(text: string): Platform {
  if (!platformPattern.test(text))
    throw usage(`'${display(text)}' is not a platform`, {
      hint: 'write it as OS/ARCHITECTURE, for example linux/arm64',
    });
  const [os = '', architecture = '', variant] = text.split('/');
  return { os, architecture, variant };
}

const variantOf = ({ architecture, variant }: Platform): string =>
  variant === undefined || variant === null || variant === '' ? (usualVariants[architecture] ?? '') : variant;

export function matches(found: Platform, wanted: Platform): boolean {
  if (found.os !== wanted.os || found.architecture !== wanted.architecture) return false;
  const any = wanted.variant === undefined || wanted.variant === null || wanted.variant === '';
  return any || variantOf(found) === variantOf(wanted);
}

/**
 * Those of an index for a platform, best first: where none is wanted by its variant, the usual one, then any other.
 * What states no platform, as in an index of a single image, is for all.
 */
export function forPlatform(descriptors: readonly Descriptor[], wanted: Platform): Descriptor[] {
  const unstated = descriptors.filter(({ platform }) => platform === undefined || platform === null);
  const stated = descriptors.filter(({ platform }) => platform && matches(platform, wanted));
  const usual = usualVariants[wanted.architecture] ?? '';
  const rank = ({ platform }: Descriptor) => (platform && variantOf(platform) === usual ? 0 : 1);
  return [...stated.sort((a, b) => rank(a) - rank(b)), ...unstated];
}
