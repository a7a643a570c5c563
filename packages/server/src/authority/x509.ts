// The container inside @peculiar/x509 needs this before anything else of it is loaded.
import 'reflect-metadata';

export * from '@peculiar/x509';
