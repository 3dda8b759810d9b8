"""Products as facts: one YAML file a product, every value with its source and confidence."""

from lindos.catalogue.load import Catalogue, load_catalogue
from lindos.catalogue.products import Cdu, Gpu, Node, Optic, Product, Rack, Switch

__all__ = ["Catalogue", "Cdu", "Gpu", "Node", "Optic", "Product", "Rack", "Switch", "load_catalogue"]
