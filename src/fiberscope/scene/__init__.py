"""Every picture as data: nodes, edges, positions, colours and labels. Renderers only draw what a scene says."""
